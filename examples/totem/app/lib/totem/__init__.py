"""What the Python services of TOTEM share: settings, database, queue, stopping."""
