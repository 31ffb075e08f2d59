"""Ready-made configs, one YAML file each."""
