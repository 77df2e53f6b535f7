"""EPU's XML, as far as it is read, in its namespaces."""

SHARED = "http://schemas.datacontract.org/2004/07/Fei.SharedObjects"
ARRAYS = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"
DRAWING = "http://schemas.datacontract.org/2004/07/System.Drawing"


def epu_xml(
    pixel_size_m="8.3E-11", dose=4e21, fractions=40, binning=1, area=(4096, 4096), volts=300000, head=""
):
    height, width = area
    number = f"<b:NumberOffractions>{fractions}</b:NumberOffractions>" if fractions else ""
    return f"""<?xml version="1.0" encoding="utf-8"?>{head}
<MicroscopeImage xmlns="{SHARED}" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">
 <CustomData xmlns:a="{ARRAYS}">
  <a:KeyValueOfstringanyType><a:Key>Defocus</a:Key><a:Value>-1E-06</a:Value></a:KeyValueOfstringanyType>
  <a:KeyValueOfstringanyType>
   <a:Key>Dose</a:Key><a:Value i:type="b:double">{dose}</a:Value>
  </a:KeyValueOfstringanyType>
 </CustomData>
 <SpatialScale><pixelSize>
  <x><numericValue>{pixel_size_m}</numericValue><unit><_x003C_Text_x003E_>m</_x003C_Text_x003E_></unit></x>
  <y><numericValue>{pixel_size_m}</numericValue></y>
 </pixelSize></SpatialScale>
 <microscopeData>
  <acquisition><camera>
   <Binning xmlns:a="{DRAWING}"><a:x>{binning}</a:x><a:y>{binning}</a:y></Binning>
   <CameraSpecificInput xmlns:b="urn:fractions">{number}</CameraSpecificInput>
   <ReadoutArea xmlns:a="{DRAWING}"><a:height>{height}</a:height><a:width>{width}</a:width></ReadoutArea>
  </camera></acquisition>
  <gun><AccelerationVoltage>{volts}</AccelerationVoltage></gun>
 </microscopeData>
</MicroscopeImage>"""
