"""Objects that a server holds: the files below a folder (`ROOT/bucket/key`)."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import pathlib
import zlib
from collections.abc import Iterator
from xml.sax.saxutils import escape

import google_crc32c

from model_def.storage.whole import NOTE


@dataclasses.dataclass(frozen=True, kw_only=True)
class Object:
    """Bytes with what a server says about them."""

    body: bytes
    md5: bytes
    crc32: bytes
    crc32c: bytes
    generation: int

    @classmethod
    def of(cls, body: bytes) -> Object:
        """The object with this body; its generation changes with it."""
        md5 = hashlib.md5(body, usedforsecurity=False).digest()
        crc32c = int(google_crc32c.value(body)).to_bytes(4, "big")
        generation = int.from_bytes(md5[:6], "big") + 1
        return cls(body=body, md5=md5, crc32=zlib.crc32(body).to_bytes(4, "big"), crc32c=crc32c, generation=generation)

    def headers(self, *, checksums: bool, note: str) -> str:
        """What S3 and GCS both say of it; each library reads its own. The rest is as in `Plan`."""
        lines = f'ETag: "{self.md5.hex()}"\r\nx-goog-generation: {self.generation}\r\n'
        lines += "Last-Modified: Wed, 01 Jan 2025 00:00:00 GMT\r\nContent-Type: application/octet-stream\r\n"
        if checksums:
            lines += f"x-amz-checksum-crc32: {_base64(self.crc32)}\r\nx-goog-hash: crc32c={_base64(self.crc32c)}\r\n"
        if note:
            value = _base64({"right": self.crc32c, "old": bytes(4)}[note])
            lines += f"x-amz-meta-{NOTE}: {value}\r\nx-goog-meta-{NOTE}: {value}\r\n"
        return lines


class Objects:
    """The files below `root`, read once; a changed file is not noticed until `forget`."""

    def __init__(self, root: pathlib.Path) -> None:
        self._root, self._held = root, dict[str, Object]()

    def forget(self) -> None:
        """Read all files again when they are asked for."""
        self._held.clear()

    def get(self, name: str) -> Object | None:
        """The object `bucket/key`."""
        if name not in self._held:
            path = self._root / name
            if ".." in name.split("/") or not path.is_file():
                return None
            self._held[name] = Object.of(path.read_bytes())
        return self._held[name]

    def has_bucket(self, bucket: str) -> bool:
        """Whether there is such a folder."""
        return bool(bucket) and (self._root / bucket).is_dir()

    def page(self, bucket: str, prefix: str, delimiter: str, after: str, size: int) -> tuple[list[str], list[str], str]:
        """Keys, common prefixes, and what the next page comes after (empty: this is the last)."""
        keys: list[str] = []
        folders: dict[str, None] = {}
        last = ""
        for key in self._keys(bucket, prefix):
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            name = key[: cut + 1] if cut >= 0 else key
            if name <= after or name in folders:
                continue
            if len(keys) + len(folders) == size:
                return keys, [*folders], last
            last = name
            if cut >= 0:
                folders[name] = None
            else:
                keys.append(key)
        return keys, [*folders], ""

    def _keys(self, bucket: str, prefix: str) -> Iterator[str]:
        root = self._root / bucket
        found = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
        return iter(sorted(key for key in found if key.startswith(prefix)))

    def s3_listing(self, bucket: str, words: dict[str, str]) -> str:
        """The XML of ListObjectsV2."""
        prefix, size = words.get("prefix", ""), int(words.get("max-keys") or 1000)
        page = self.page(bucket, prefix, words.get("delimiter", ""), words.get("continuation-token", ""), size)
        keys, folders, last = page
        text = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(found.body)}</Size><ETag>{found.md5.hex()}</ETag></Contents>"
            for key in keys
            if (found := self.get(f"{bucket}/{key}"))
        )
        text += "".join(f"<CommonPrefixes><Prefix>{escape(path)}</Prefix></CommonPrefixes>" for path in folders)
        more = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if last else ""
        return f"<ListBucketResult><IsTruncated>{str(bool(last)).lower()}</IsTruncated>{more}{text}</ListBucketResult>"

    def gcs_listing(self, bucket: str, words: dict[str, str]) -> str:
        """The JSON of objects.list."""
        prefix, size = words.get("prefix", ""), int(words.get("maxResults") or 1000)
        page = self.page(bucket, prefix, words.get("delimiter", ""), words.get("pageToken", ""), size)
        keys, folders, last = page
        items = [self.gcs_item(bucket, key) for key in keys]
        return json.dumps({"items": items, "prefixes": folders, **({"nextPageToken": last} if last else {})})

    def gcs_item(self, bucket: str, key: str) -> dict[str, str]:
        """The JSON of one object's metadata."""
        found = self.get(f"{bucket}/{key}")
        assert found
        about = {"size": str(len(found.body)), "generation": str(found.generation), "crc32c": _base64(found.crc32c)}
        return {"kind": "storage#object", "bucket": bucket, "name": key, "etag": found.md5.hex(), **about}


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
