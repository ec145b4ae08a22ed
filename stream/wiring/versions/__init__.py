"""What is done with versions of bundles as the settings name them: gate, check for drift, training anew."""
