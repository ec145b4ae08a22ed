"""Incidents and runbooks in, those most like a text out: FAISS vectors and TF-IDF words."""
