import { Alert, Anchor, Group, List, Stack, Text, Title } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { CircleDashed } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import { PendingPodDocument, WouldFitDocument, type PendingPodQuery } from '../Plumbing/asked'
import { useMoment } from '../Plumbing/moment'
import { Fact } from '../Plumbing/Page'
import { useQuestion } from '../Plumbing/question'
import { Answered, Empty } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { asksOf, askText } from './asks'
import { NodeRefusals } from './NodeRefusals'
import { Reason } from './Reason'
import { reasonWord } from './reasons'

type Pod = NonNullable<PendingPodQuery['pendingPods']['items'][number]>

/** Why one pod waits: in a sentence, by reason, what would help, and card by card. */
export function Waiting({ podUid }: { podUid: string }) {
  const { t } = useTranslation('placing')
  const { at } = useMoment()
  const question = useQuestion(PendingPodDocument, { podUid, at })
  return (
    <Answered question={question}>
      {({ pendingPods }) => {
        const pod = pendingPods.items[0]
        if (!pod) return <Empty title={t('waiting.gone')} hint={t('waiting.goneHint')} action={<Anchor component={Link} to={`/workloads/${podUid}`} size="sm" mt="xs">{t('waiting.open')}</Anchor>} />
        return (
          <Stack gap="md">
            <div>
              <Title order={2} size="h4" style={{ overflowWrap: 'anywhere' }}>{pod.namespace}/{pod.pod}</Title>
              <Anchor component={Link} to={`/workloads/${pod.podUid}`} size="sm">{t('waiting.open')}</Anchor>
            </div>
            <Group gap="xl">
              <Fact label={t('column.asks')}>{asksOf(pod.ask).map((container) => <div key={container.name}>{askText(t, container)}</div>)}{!pod.ask && units.unknown}</Fact>
              <Fact label={t('waiting.reasonsSince')}>{units.moment(pod.refusedAt)} · {units.since(pod.refusedAt, at ?? new Date())}</Fact>
            </Group>
            <WhyItWaits pod={pod} />
            <WhatWouldFit podUid={podUid} />
            <NodeRefusals podUid={podUid} />
          </Stack>
        )
      }}
    </Answered>
  )
}

/** The sentence of the decision, and each of its reasons explained. */
export function WhyItWaits({ pod }: { pod: Pick<Pod, 'message' | 'reasons' | 'live'> }) {
  const { t } = useTranslation('placing')
  return (
    <Stack gap="sm">
      <Alert color="orange" variant="light" icon={<CircleDashed />}><Text size="sm" lang="en">{pod.message}</Text></Alert>
      {[...pod.reasons].sort((a, b) => b.cards - a.cards).map((each) => {
        const word = reasonWord(each.reason)
        return (
          <div key={each.reason}>
            <Group gap="xs"><Reason reason={each.reason} cards={each.cards} /><Text size="xs" c="dimmed" ff="monospace">{each.reason}</Text></Group>
            <Text size="sm" mt={2}>{word && t(`reasons.${word}.why`)}</Text>
            {each.exampleNodes.length > 0 && <Text size="xs" c="dimmed">{t('waiting.suchAs', { nodes: each.exampleNodes.join(', ') })}</Text>}
          </div>
        )
      })}
      {pod.live?.message && (
        <div>
          <Text size="xs" c="dimmed">{t('waiting.kubernetes')}</Text>
          <Text size="xs" lang="en" style={{ overflowWrap: 'anywhere' }}>{pod.live.message}</Text>
        </div>
      )}
    </Stack>
  )
}

/** What would let it fit, each by itself. */
export function WhatWouldFit({ podUid }: { podUid: string }) {
  const { t } = useTranslation('placing')
  const { at } = useMoment()
  const question = useQuestion(WouldFitDocument, { podUid, at }, { isDear: true, every: 30_000 })
  return (
    <section aria-label={t('column.fit')}>
      <Title order={3} size="h5" mb="xs">{t('column.fit')}</Title>
      <Answered question={question} height={60}>
        {({ pendingPods }) => {
          const fits = pendingPods.items[0]?.wouldFit ?? []
          return fits.length === 0 ? (
            <Text size="sm" c="dimmed">{t('waiting.nothingAlone')}</Text>
          ) : (
            <>
              <Text size="xs" c="dimmed" mb={4}>{t('waiting.eachAlone')}</Text>
              <List size="sm" spacing={4} lang="en" data-testid="would-fit">{fits.map((fit) => <List.Item key={fit}>{fit}</List.Item>)}</List>
            </>
          )
        }}
      </Answered>
    </section>
  )
}
