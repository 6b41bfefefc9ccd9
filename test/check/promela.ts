/**
 * The direct-map code of arch/x86/mm/pat/set_memory.c in Promela, for SPIN: an oracle for core/check.
 * It is written from the C and shares nothing with our kernel model, not even ideas where another
 * one was at hand: tables have names and are never reused, the TLB is a process that loads one entry
 * at a time when it likes, a collapse scans entry by entry, locks know no owner.
 *
 * One model holds the whole family of designs: which one is run is read from the environment when
 * the verifier starts, so that one compilation serves hundreds of runs.
 */

/** A design of the family, and what its CPUs do. */
export interface Member {
  /** cpa_lock around each round. */
  readonly cpa: 0 | 1;
  /** Lock of should_split and of the split: none, pgd_lock, a lock for each PMD. */
  readonly splitLock: 0 | 1 | 2;
  /** Lock of the 4 KiB look-up and store: none, pgd_lock, a lock for each PMD. */
  readonly storeLock: 0 | 1 | 2;
  /** Flush of a split: inside its lock, after it, after cpa_lock too, none. */
  readonly splitFlush: 0 | 1 | 2 | 3;
  /** __split_large_page looks again under its lock. */
  readonly recheck: 0 | 1;
  readonly finalFlush: 0 | 1;
  /** None; or under the split's lock; and with cpa_lock around it. */
  readonly collapse: 0 | 1 | 2;
  /** init_mm lock, write for collapse; read for changes: no, without or with the final flush. */
  readonly initMm: 0 | 1 | 2;
  /** set_memory_ro; set_direct_map invalid, or invalid and default; set_memory_rox (with collapse). */
  readonly operations: "ro" | "invalid" | "set_direct_map" | "collapse";
}

/** The environment that makes the compiled verifier check this member. */
export function environmentOf(member: Member): Record<string, string> {
  return {
    CPA: String(member.cpa),
    SPLITLOCK: String(member.splitLock),
    STORELOCK: String(member.storeLock),
    SPLITFLUSH: String(member.splitFlush),
    RECHECK: String(member.recheck),
    FINALFLUSH: String(member.finalFlush),
    COLLAPSE: String(member.collapse),
    INITMM: String(member.initMm),
    DIRECTMAP: { ro: "0", collapse: "0", invalid: "1", set_direct_map: "2" }[member.operations],
  };
}

const PARAMETERS = [
  "CPA",
  "SPLITLOCK",
  "STORELOCK",
  "SPLITFLUSH",
  "RECHECK",
  "FINALFLUSH",
  "COLLAPSE",
  "INITMM",
  "DIRECTMAP",
];

/** The model for a number of CPUs, each with a page of its own in one 2 MiB region. */
export function promelaModel(cpus: number): string {
  const pages = Array.from({ length: cpus }, (_, i) => i);
  const tables = 2 * cpus + 1;
  const forAll = (line: (page: number) => string) => pages.map(line).join(" ");
  return `
#define N ${cpus}
#define NONE 255
#define P 1
#define W 2
/* a PMD below TABLE is a large entry with these attributes, else table pmd - TABLE */
#define TABLE 8
#define UNUSED 0
#define LIVE 1
#define UNLINKED 2
#define FREED 3

${PARAMETERS.map((name) => `byte ${name};`).join("\n")}
bool cpa_lock, pgd_lock, pmd_lock, mm_writer;
byte mm_readers;

byte pmd = 3;
byte pte[${tables * cpus}];
byte status[${tables}];
byte asked[N];

byte big = NONE;
/* the one page whose small translations are watched, chosen at the start */
byte watch;
byte small = NONE;
byte pde = NONE;

#define PTE(t, i) pte[(t) * N + (i)]
#define TABLES_SAY(i) (pmd < TABLE -> pmd : PTE(pmd - TABLE, i))
/* law C3 */
#define NOT_LOST ${pages.map((i) => `TABLES_SAY(${i}) == asked[${i}]`).join(" && ")}
/* law C1 */
#define NOT_MIXED (big == NONE || small == NONE || small == big)

inline flush_all() {
  d_step { big = NONE; pde = NONE; small = NONE }
}
inline flush_one(i) {
  d_step { big = NONE; pde = NONE; if :: i == watch -> small = NONE :: else fi }
}
inline take(which) {
  if
  :: which == 0
  :: which == 1 -> atomic { !pgd_lock -> pgd_lock = true }
  :: which == 2 -> atomic { !pmd_lock -> pmd_lock = true }
  fi
}
inline drop(which) {
  if
  :: which == 0
  :: which == 1 -> pgd_lock = false
  :: which == 2 -> pmd_lock = false
  fi
}
inline take_cpa() { if :: CPA -> atomic { !cpa_lock -> cpa_lock = true } :: else fi }
inline drop_cpa() { if :: CPA -> cpa_lock = false :: else fi }

proctype cpu(byte me) {
  byte entry, old, new, set, clr, table, mine = NONE, i, first, todo = 1;
  bool changed, flushes = true;

  if
  :: DIRECTMAP -> todo = DIRECTMAP; flushes = false; clr = P | W
  :: else -> clr = W
  fi;

request:
  changed = false;
  if :: INITMM -> atomic { !mm_writer -> mm_readers++ } :: else fi;
  take_cpa();

again:
  entry = pmd;
  if
  :: entry >= TABLE ->
     take(STORELOCK);
     if
     :: STORELOCK -> entry = pmd;
        if :: entry < TABLE -> drop(STORELOCK); goto again :: else fi
     :: else
     fi;
     table = entry - TABLE;
     d_step { assert(status[table] != FREED); old = PTE(table, me); new = (old & ~clr) | set; entry = 0 };
     if
     :: new != old ->
        d_step {
          assert(status[table] == LIVE);
          PTE(table, me) = new;
          asked[me] = (asked[me] & ~clr) | set;
          assert(NOT_LOST);
          changed = true; old = 0; new = 0; table = 0
        }
     :: else -> d_step { old = 0; new = 0; table = 0 }
     fi;
     drop(STORELOCK);
     goto changed_or_not
  :: else
  fi;

  /* should_split_large_page */
  take(SPLITLOCK);
  d_step { entry = pmd; new = (entry < TABLE && ((entry & ~clr) | set) == entry); entry = 0 };
  drop(SPLITLOCK);
  if :: new -> new = 0; goto changed_or_not :: else fi;

  /* split_large_page */
  drop_cpa();
  atomic {
    mine = 0;
    do :: status[mine] != UNUSED -> mine++ :: else -> break od;
    assert(mine < ${tables});
    status[mine] = LIVE
  };
  take_cpa();
  take(SPLITLOCK);
  entry = pmd;
  if
  :: entry >= TABLE && RECHECK ->
     drop(SPLITLOCK);
     d_step { status[mine] = UNUSED; mine = NONE; entry = 0 };
     goto again
  :: entry >= TABLE && !RECHECK -> entry = P | W
  :: else
  fi;
  d_step {
    assert(pmd < TABLE);
    ${forAll((i) => `PTE(mine, ${i}) = entry;`)}
    pmd = TABLE + mine;
    mine = NONE; entry = 0;
    assert(NOT_LOST)
  };
  if :: SPLITFLUSH == 0 -> flush_all() :: else fi;
  drop(SPLITLOCK);
  if :: SPLITFLUSH == 1 -> flush_all() :: else fi;
  if :: SPLITFLUSH == 2 -> drop_cpa(); flush_all(); take_cpa() :: else fi;
  goto again;

changed_or_not:
  drop_cpa();
  if :: INITMM == 1 -> mm_readers-- :: else fi;
  if :: changed && flushes && FINALFLUSH -> flush_one(me) :: else fi;
  if :: INITMM == 2 -> mm_readers-- :: else fi;

  if
  :: changed && COLLAPSE ->
     if :: INITMM -> atomic { !mm_writer && mm_readers == 0 -> mm_writer = true } :: else fi;
     if :: COLLAPSE == 2 -> atomic { !cpa_lock -> cpa_lock = true } :: else fi;
     table = NONE;
     take(SPLITLOCK);
     entry = pmd;
     if
     :: entry >= TABLE ->
        table = entry - TABLE;
        assert(status[table] != FREED);
        first = PTE(table, 0);
        i = 0;
        do
        :: i < N && PTE(table, i) == first && (first & P) -> i++
        :: i < N && !(PTE(table, i) == first && (first & P)) -> table = NONE; break
        :: i == N -> break
        od;
        if
        :: table != NONE ->
           d_step {
             assert(pmd == TABLE + table && status[table] == LIVE);
             pmd = first; status[table] = UNLINKED; assert(NOT_LOST)
           }
        :: else
        fi
     :: else
     fi;
     d_step { entry = 0; first = 0; i = 0 };
     drop(SPLITLOCK);
     if
     :: table != NONE -> flush_all(); status[table] = FREED
     :: else
     fi;
     if :: COLLAPSE == 2 -> cpa_lock = false :: else fi;
     if :: INITMM -> mm_writer = false :: else fi
  :: else
  fi;

  /* law C4, at the return of a flushing call */
  d_step {
    assert(!(flushes && changed) || ((small == NONE || me != watch || !(small & clr))
                                  && (big == NONE || !(big & clr))));
    todo--; changed = false; first = 0; i = 0; table = 0
  };
  if
  :: todo -> d_step { clr = 0; set = P | W }; goto request
  :: else
  fi
}

proctype tlb() {
end:
  do
  :: atomic { pmd < TABLE && (pmd & P) && big == NONE -> big = pmd; assert(NOT_MIXED) }
  :: atomic { pmd >= TABLE && pde == NONE -> pde = pmd - TABLE }
  :: atomic { pde != NONE && status[pde] == FREED -> assert(false) }
  :: atomic { pde != NONE && small == NONE && (PTE(pde, watch) & P) -> small = PTE(pde, watch); assert(NOT_MIXED) }
  od
}

init {
  c_code { ${PARAMETERS.map((name) => `now.${name} = atoi(getenv("${name}"));`).join(" ")} };
  atomic {
    ${forAll((i) => `asked[${i}] = 3;`)}
    if ${forAll((i) => `:: watch = ${i}`)} fi;
    run tlb();
    ${forAll((i) => `run cpu(${i});`)}
  }
}
`;
}
