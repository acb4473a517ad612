"""Raw datasets become OpenGait's layout, and prepared ones are inspected before a training."""
