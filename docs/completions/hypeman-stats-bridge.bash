# shellcheck shell=bash
# Bash completion for hypeman-stats-bridge(8).

_hypeman_stats_bridge() {
  # shellcheck disable=SC2034  # _init_completion sets them all
  local cur prev words cword
  # ":" is part of a word: 127.0.0.1:8080.
  _init_completion -n : || return
  case $prev in
    --stats-dir)
      _filedir -d
      ;;
    --jwt-secret-file | --hypeman-config | --token-file)
      _filedir
      ;;
    --listen)
      mapfile -t COMPREPLY < <(compgen -W "127.0.0.1:8080 [::1]:8080 unix:/" -- "$cur")
      [[ ${COMPREPLY[0]-} != */ ]] || compopt -o nospace
      __ltrim_colon_completions "$cur"
      ;;
    --socket-mode)
      mapfile -t COMPREPLY < <(compgen -W "0600 0660 0666" -- "$cur")
      ;;
    --max-connections | --request-timeout | --idle-timeout) ;;
    *)
      mapfile -t COMPREPLY < <(compgen -W "--stats-dir --listen --socket-mode --jwt-secret-file
        --hypeman-config --token-file --no-auth --no-page --no-access-log --max-connections --request-timeout --idle-timeout
        -h --help --version" -- "$cur")
      ;;
  esac
}

complete -F _hypeman_stats_bridge hypeman-stats-bridge
