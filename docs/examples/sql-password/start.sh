#!/bin/sh
# Gets the SA password from Key Vault with the identity of the pod, then starts the program that its arguments name.
# VAULT and SECRET name the secret. Needs curl. Tries again until it has the password, and says each time why
# it has not: a role that was just granted takes minutes to work.
set -eu

metadata='http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net'

# ask WHO CURL-ARGUMENTS: prints the answer; if it is a refusal, says whose.
ask() {
  who=$1
  shift
  if answer=$(curl --silent --show-error --fail-with-body --max-time 60 "$@"); then
    printf '%s' "$answer"
  else
    echo "$who refuses: $answer" >&2
    return 1
  fi
}

# field NAME JSON: prints the first field of that name, if it is a text without quotation marks and backslashes.
field() {
  case $2 in *"\"$1\":\""*) ;; *) return ;; esac
  rest=${2#*\"$1\":\"}
  value=${rest%%\"*}
  case $value in *\\*) ;; *) printf '%s' "$value" ;; esac
}

fetch() {
  answer=$(ask "The metadata service" --header Metadata:true "$metadata") || return 1
  token=$(field access_token "$answer")
  # By standard input, because everybody on the node sees arguments.
  answer=$(printf 'Authorization: Bearer %s' "$token" |
    ask "Key Vault $VAULT" --header @- "https://$VAULT.vault.azure.net/secrets/$SECRET?api-version=7.4") || return 1
  MSSQL_SA_PASSWORD=$(field value "$answer")
  if [ -z "$MSSQL_SA_PASSWORD" ]; then
    echo "The secret $SECRET has no text, or a quotation mark or a backslash in it" >&2
    return 1
  fi
}

until fetch; do sleep 5; done
export MSSQL_SA_PASSWORD
exec "$@"
