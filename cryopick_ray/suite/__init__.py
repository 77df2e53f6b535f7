"""Many models on many data sets: settings in, one honest table out."""
