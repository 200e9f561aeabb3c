import { Group, Text } from '@mantine/core'
import { lazy, Suspense, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { NewestHappenedDocument, OldestHappenedDocument } from '../Plumbing/asked'
import { useQuestion } from '../Plumbing/question'
import { densityOf, type Span } from './window'

const Strip = lazy(() => import('./Strip'))

const parts = 120

/** When how much happened in a span of time, drawn above the slider; at most a thousand events of it are asked for. */
export function Density({ span: { from, to }, step }: { span: Span; step: number }) {
  const { t } = useTranslation('replaying')
  // Whole steps, so that a span that moves on with the clock is not another question every time.
  const grain = Math.max(step, 60_000)
  const asked = { from: new Date(Math.floor(from / grain) * grain).toISOString(), at: new Date(Math.ceil(to / 60_000) * 60_000).toISOString() }
  const newest = useQuestion(NewestHappenedDocument, asked).data?.events
  const isMore = newest?.pageInfo.hasNextPage ?? false
  const oldest = useQuestion(OldestHappenedDocument, asked, { enabled: isMore }).data?.events
  const density = useMemo(() => {
    if (!newest) return undefined
    const known = <T,>(items: (T | null)[]) => items.filter((item) => item !== null)
    return densityOf({ from, to }, parts, known(newest.items), isMore && oldest ? known(oldest.items) : undefined)
  }, [newest, oldest, isMore, from, to])
  const isEmpty = density?.all.every((n) => n === 0)
  return (
    <div style={{ position: 'relative' }}>
      <Suspense fallback={<div style={{ height: 28 }} />}>{density ? <Strip label={t('time.density')} all={t('time.happened')} bad={t('time.troubles')} density={density} /> : <div style={{ height: 28 }} />}</Suspense>
      {(isEmpty || isMore) && (
        <Group justify="center" style={{ position: 'absolute', inset: 0, pointerEvents: 'none' }}>
          <Text size="xs">{t(isEmpty ? 'time.quiet' : 'time.manyMore')}</Text>
        </Group>
      )}
    </div>
  )
}
