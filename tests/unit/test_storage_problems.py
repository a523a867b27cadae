"""What a user reads when a store can't give what the experiment names."""

from __future__ import annotations

import pytest
from torch._utils import ExceptionWrapper

from model_def.data import data_errors
from model_def.errors import DataError
from model_def.files import storage_errors
from model_def.storage.address import Address
from model_def.storage.backend import GCSBackend, S3Backend
from model_def.storage.client import AccessDenied, NoCredentials, ObjectMissing
from model_def.storage.problems import nearest, problem

BACKENDS = {"s3": S3Backend, "gcs": GCSBackend}
KEYS = ("coco/annotations/instances_train2017.json", "coco/annotations/instances_val2017.json", "coco/train2017/1.jpg")


@pytest.fixture(params=["s3", "gcs"])
def filled(request: pytest.FixtureRequest) -> tuple[S3Backend | GCSBackend, Address]:
    bucket = request.getfixturevalue(f"{request.param}_bucket")
    backend = BACKENDS[request.param](cache={"enabled": False})
    for key in KEYS:
        backend.put(b"{}", str(bucket / key))
    return backend, bucket


def test_a_typo_is_told_with_what_is_there(filled: tuple[S3Backend | GCSBackend, Address]) -> None:
    backend, bucket = filled
    wrong = str(bucket / "coco/annotations/instance_train2017.json")
    with pytest.raises(DataError) as caught, storage_errors("dataset.train.ann_file", backend):
        backend.get(wrong)
    (told,) = caught.value.problems
    assert told.what.startswith("no such object (")
    assert (told.value, told.where) == (wrong, "dataset.train.ann_file")
    assert told.allowed.split(", ")[0] == f"for example {bucket / KEYS[0]}"
    assert "correct the path" in told.next
    for typo, expected in (
        ("coco/anotations/instances_val2017.json", ["coco/annotations/"]),  # what is below comes once this is right
        ("cocoo/train2017/1.jpg", ["coco/"]),
        ("coco/train2017/2.jpg", ["coco/train2017/1.jpg"]),
        ("quite/else", ["coco/"]),
    ):
        assert nearest(backend.client, bucket / typo) == [str(bucket / path) for path in expected]


def test_a_missing_bucket_is_told(filled: tuple[S3Backend | GCSBackend, Address]) -> None:
    backend, bucket = filled
    url = f"{bucket.scheme}://no-such-bucket/x/y.jpg"
    with pytest.raises(DataError, match="no such bucket") as caught, storage_errors("data_root", backend):
        backend.get(url)
    assert caught.value.problems[0].value == f"{bucket.scheme}://no-such-bucket/"
    assert "endpoint_url" in caught.value.problems[0].next


def test_an_error_of_a_worker_is_told_without_its_traceback() -> None:
    error = AccessDenied.of(Address.parse("s3://bucket/a b.jpg"), "AccessDenied")
    try:
        raise error
    except AccessDenied as raised:
        wrapped = ExceptionWrapper((AccessDenied, raised, raised.__traceback__), "in DataLoader worker process 1")
    with pytest.raises(AccessDenied) as caught:
        wrapped.reraise()
    assert "Traceback" in str(caught.value)
    with pytest.raises(DataError) as shown, data_errors():
        raise caught.value
    (told,) = shown.value.problems
    assert told.what == "permission denied (AccessDenied)"
    assert told.value == "s3://bucket/a b.jpg"
    assert "s3:GetObject" in told.next
    assert "--resume" in told.next


def test_attempts_stay_in_the_message() -> None:
    text = "no such object (NoSuchKey): gs://bucket/x.jpg (tried 10 times in 31 s)"
    (told,) = problem(ObjectMissing(text), where="").problems
    assert (told.what, told.value) == ("no such object (NoSuchKey) (tried 10 times in 31 s)", "gs://bucket/x.jpg")


@pytest.mark.parametrize(("path", "what"), [("gs://b/x", "begins with s3://"), ("s3://", "is not s3://bucket/key")])
def test_a_path_of_another_store(path: str, what: str) -> None:
    with pytest.raises(DataError, match=what), storage_errors("data_root"):
        S3Backend().get(path)
    with pytest.raises(DataError, match="begins with s3://"), storage_errors("data_root"):
        S3Backend().put(b"", "local/file")


@pytest.mark.parametrize(("scheme", "expected"), [("s3", "AWS_PROFILE"), ("gs", "gcloud auth")])
def test_credentials_are_asked_for_in_the_words_of_the_store(scheme: str, expected: str) -> None:
    error = NoCredentials.of(Address(scheme=scheme, bucket="bucket", key="x"), "none")
    assert expected in problem(error, where="").problems[0].next
