"""What both trainers, the embedded one and OpenGait's, do alike."""
