"""Makes few large files of many small ones, one partition at a time. docs/compaction.md says what readers are promised."""
