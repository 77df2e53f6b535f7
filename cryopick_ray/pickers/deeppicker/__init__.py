"""DeepPicker (Wang et al. 2016, J. Struct. Biol. 195:325): its network and picking rule."""
