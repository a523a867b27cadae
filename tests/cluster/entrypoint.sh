# What happens in a container of a trial, in the order of the platform's own scripts. The stand-in's containers are
# namespaces for mounts and processes: their own /run, /tmp and processes, this machine's other files and network.
set -e
mount -t tmpfs tmpfs /run
mkdir /run/determined
mount --bind "$STANDIN_DIR" /run/determined
bind() { mkdir -p "$2"; mount --bind "$1" "$2"; }
cd /run/determined/workdir
source ../mounts.sh
# What runs may itself lie in this machine's /tmp.
IFS=:
for kept in $STANDIN_KEEP; do bind "$kept" "$STANDIN_DIR/tmp/${kept#/tmp/}"; done
unset IFS
mount --rbind "$STANDIN_DIR/tmp" /tmp
cd /run/determined/workdir

if test -n "$STANDIN_DELETES"; then
    exec python3 -m determined.exec.gc_checkpoints --experiment-id "$STANDIN_DELETES" \
        --storage-config ../storage.json --delete ../delete.json --globs ../globs.json
fi

ln -sf /proc/$$/fd/1 ../train/logs/stdout.log
ln -sf /proc/$$/fd/2 ../train/logs/stderr.log
python3 -m determined.exec.prep_container --download_context_directory --resources --proxy
if test -f startup-hook.sh; then
    if test -n "$STANDIN_HOOK"; then source startup-hook.sh; else echo "startup-hook.sh is left out: all is installed"; fi
fi
python3 -m determined.exec.prep_container --rendezvous
exec python3 -m determined.exec.launch
