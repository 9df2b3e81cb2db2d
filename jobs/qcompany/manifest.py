"""The file versions a run has to load, as the `land` task hands them over."""

from collections import namedtuple

FEEDS = ("branches", "sales_agents", "sales_transactions")

# One version of a file. `supersedes` holds the ids of the versions it replaces.
FileVersion = namedtuple("FileVersion", "file_id feed batch path load_seq supersedes")


def file_versions(manifest):
    """The files of a manifest that have to be loaded: `{"files": [...]}` or the bare list."""
    entries = manifest["files"] if isinstance(manifest, dict) else manifest
    # The content of a duplicate is live already under another id: there is nothing to load.
    versions = [file_version(entry) for entry in entries if entry.get("duplicateOf") is None]
    unknown = sorted({version.feed for version in versions} - set(FEEDS))
    if unknown:
        raise SystemExit(f"manifest names feeds that no table is for: {', '.join(unknown)}")
    return sorted(versions, key=lambda version: version.load_seq)


def file_version(entry):
    """One entry of the manifest."""
    supersedes = entry.get("supersedes") or []
    return FileVersion(
        file_id=str(entry["fileId"]),
        feed=entry["feed"],
        batch=int(entry["batch"] or 0),
        path=entry["path"],
        load_seq=int(entry["loadSeq"]),
        supersedes=[str(one) for one in (supersedes if isinstance(supersedes, list) else [supersedes])],
    )
