"""TFX components: each reads artifacts, calls one plain function, writes artifacts."""
