"""The formats that data is published in, a module each; `koine.collect.readers` lists them.

A reader yields plain records and complains about a bad row with file, place, reason and remedy; what becomes of the records is
decided elsewhere.
"""
