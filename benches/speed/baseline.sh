# What a shell user does with a window: download it, hash it, unpack it, make all of it durable, rename it. Its files
# are neither hashed nor counted.
#
# baseline.sh FOLDER URL PROJECT UNPACKER FROM...
set -eu
folder=$1 url=$2 project=$3 unpacker=$4
shift 4
cd "$folder"
for from; do
  curl -sS --fail -d "{\"projectId\":$project,\"from\":$from}" -o "$from.zip" "$url"
  sha256sum "$from.zip" >"$from.sha256"
  mkdir "$from.new"
  case $unpacker in
    unzip) unzip -q "$from.zip" -d "$from.new" ;;
    bsdtar) bsdtar -xf "$from.zip" -C "$from.new" ;;
  esac
  sync "$from.new"/* "$from.new" "$from.sha256"
  mv "$from.new" "$from"
  sync .
  rm "$from.zip"
done
