"""Who competes: frameworks' manifests, the notation of contenders, their placement on devices."""
