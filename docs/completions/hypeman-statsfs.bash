# shellcheck shell=bash
# Bash completion for hypeman-statsfs(8).

# Completes the last of the comma-separated options after -o.
_hypeman_statsfs_mount_option() {
  local before='' last=$1 options=(foreground gid= io_uring= mode= run_as=)
  if [[ $last == *,* ]]; then
    before=${last%,*},
    last=${last##*,}
  fi
  case $last in
    io_uring=*) options=(io_uring=auto io_uring=on io_uring=off) ;;
    mode=*) options=(mode=0444 mode=0440 mode=0400) ;;
    gid=*) mapfile -t options < <(compgen -P gid= -g -- "${last#gid=}") ;;
    run_as=*) mapfile -t options < <(compgen -P run_as= -u -- "${last#run_as=}") ;;
  esac
  mapfile -t COMPREPLY < <(compgen -P "$before" -W "${options[*]}" -- "$last")
  [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
  # A word of readline ends at each "=", and readline replaces only the last one.
  if [[ $1 == *=* && $COMP_WORDBREAKS == *=* ]]; then
    COMPREPLY=("${COMPREPLY[@]#"${1%=*}="}")
  fi
}

_hypeman_statsfs() {
  # shellcheck disable=SC2034  # _init_completion sets them all
  local cur prev words cword
  # "=" is part of a word: mode=0440.
  _init_completion -n = || return
  if [[ $prev == -o ]]; then
    _hypeman_statsfs_mount_option "$cur"
  elif [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "-f --foreground -o -h --help --version" -- "$cur")
  else
    _filedir -d
  fi
}

complete -F _hypeman_statsfs hypeman-statsfs
