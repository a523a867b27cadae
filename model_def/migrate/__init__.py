"""What was written for the old adapter and mmdet 2.x, as it is written for mmdet 3.x."""
