"""Index: a FAISS index over the pool of all languages, to search in and to ship."""
