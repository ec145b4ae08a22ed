"""The review page: incidents, their diagnoses and their lines in a browser, rebuilt from the topics or from files."""
