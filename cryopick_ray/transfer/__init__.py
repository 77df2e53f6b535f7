"""Transfer of files from web servers, buckets and mirrors: resumed, checked, complete or absent."""
