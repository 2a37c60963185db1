"""Train: a dual encoder on batches whose languages a strategy chooses.

`tokens` holds the training texts as token ids, `batches` says which rows and languages each batch has,
`loss` compares them, `loop` descends.
"""
