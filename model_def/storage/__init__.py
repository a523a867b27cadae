"""Object stores (S3 and what speaks like it, Google Cloud Storage) as backends of mmengine's file I/O."""
