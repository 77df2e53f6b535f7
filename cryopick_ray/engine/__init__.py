"""Who runs what where: plain workers, the serial engine and Ray."""
