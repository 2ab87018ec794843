"""The application layer: one typed function a job, called by the command line and the service."""
