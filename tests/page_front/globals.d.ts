// Libraries that the page loads as scripts: OpenSeadragon says itself that it may be a global.
import "openseadragon";
import uPlotLibrary from "uplot";

declare global {
  const uPlot: typeof uPlotLibrary;
  type uPlot = uPlotLibrary;
  namespace uPlot {
    type AlignedData = uPlotLibrary.AlignedData;
    type Options = uPlotLibrary.Options;
  }
}
