import { KindsDocument, type KindsQuery, type TypedDocumentString } from '../Plumbing/asked'
import { Donut } from '../Plumbing/charts'
import { useMoment } from '../Plumbing/moment'
import { Panel } from '../Plumbing/Page'
import { measured, useQuestion } from '../Plumbing/question'
import { Answered } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { useUrl } from '../Plumbing/url'
import classes from './Heads.module.css'
import { Top, type Ranked } from './Top'

type Items<Row> = { items: (Row | null)[] }
type Allocated = { part: number; whole: number }
type Used = { usage?: { busy?: number | null; memoryUsedMiB?: number | null; memoryTotalMiB?: number | null } | null }

/** The first few by compute and by memory, each by what is allocated and by what is used. */
interface Tops<One extends object> {
  cores: Items<One & Allocated>
  memory: Items<One & Allocated>
  busy: Items<One & Used>
  inUse: Items<One & Used>
}

/** Above a list, beside each other: how many there are of each kind, one of which can be chosen, and the fullest and busiest. */
export function Heads<One extends object>({ kind, kindsOf, document, named, titles }: {
  /** Which filter of the address a kind is chosen by. */
  kind: 'type' | 'vendor'
  kindsOf: (cluster: KindsQuery['cluster']) => { all: number; parts: { name: string; value: number }[] }
  document: TypedDocumentString<Tops<One>, { at?: string | null }>
  named: (one: One) => Omit<Ranked, 'percent'>
  titles: { kinds: string; hint: string; compute: string; memory: string }
}) {
  const { at } = useMoment()
  const [chosen, choose] = useUrl(kind)
  const kinds = useQuestion(KindsDocument, { at })
  const top = useQuestion(document, { at }, { every: measured })
  // What cannot be answered is said once, by the list.
  if ((kinds.error && !kinds.data) || (top.error && !top.data)) return null
  const ranked = <Row extends One>({ items }: Items<Row>, percent: (row: Row) => number | null): Ranked[] => items.flatMap((row) => (row ? [{ ...named(row), percent: percent(row) }] : []))
  const allocated = (row: Allocated) => units.share(row.part, row.whole)
  return (
    <div className={classes.heads}>
      <Panel title={titles.kinds} hint={titles.hint}>
        <Answered question={kinds}>
          {({ cluster }) => {
            const { all, parts } = kindsOf(cluster)
            return <Donut label={titles.kinds} middle={units.count(all)} parts={parts} onChoose={(name) => choose(chosen === name ? undefined : name)} />
          }}
        </Answered>
      </Panel>
      <Answered question={top}>
        {(data) => <Top title={titles.compute} allocated={ranked(data.cores, allocated)} used={ranked(data.busy, (row) => row.usage?.busy ?? null)} />}
      </Answered>
      <Answered question={top}>
        {(data) => <Top title={titles.memory} allocated={ranked(data.memory, allocated)} used={ranked(data.inUse, (row) => units.share(row.usage?.memoryUsedMiB, row.usage?.memoryTotalMiB))} />}
      </Answered>
    </div>
  )
}
