"""What a few lines of Python do with a window: download it, hashed on its way, unpack it, hash and count its
files, make all of it durable, rename it.

baseline.py FOLDER URL PROJECT FROM...
"""

import hashlib
import os
import sys
import zipfile

import requests

folder, url, project, windows = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]


def sync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


session = requests.Session()
for window in windows:
    staged = os.path.join(folder, window + ".new")
    os.mkdir(staged)
    path = os.path.join(folder, window + ".zip")
    digest = hashlib.sha256()
    asked = {"projectId": project, "from": int(window)}
    with session.post(url, json=asked, stream=True) as answer, open(path, "wb") as out:
        answer.raise_for_status()
        for piece in answer.iter_content(1 << 18):
            digest.update(piece)
            out.write(piece)
    digests, records = [digest.hexdigest()], 0
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            digest = hashlib.sha256()
            with archive.open(name) as entry, open(os.path.join(staged, name), "wb") as out:
                while piece := entry.read(1 << 18):
                    digest.update(piece)
                    records += piece.count(b'"logTime":')
                    out.write(piece)
                out.flush()
                os.fsync(out.fileno())
            digests.append(digest.hexdigest())
    with open(os.path.join(staged, "digests"), "w") as out:
        print(records, *digests, file=out, flush=True)
        os.fsync(out.fileno())
    sync(staged)
    os.rename(staged, os.path.join(folder, window))
    sync(folder)
    os.remove(path)
