"""Files from web servers, buckets and mirrors to this machine: resumed, checked, whole or not at all."""
