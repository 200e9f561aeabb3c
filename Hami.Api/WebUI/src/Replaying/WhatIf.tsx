import { Alert, Button, Group, Loader, Select, SimpleGrid, Stack, Table, Text } from '@mantine/core'
import { FlaskConical } from 'lucide-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useYou } from '../Access/Gate'
import { WhatIfDocument, type OutcomeFragment, type WhatIfQuery } from '../Plumbing/asked'
import { useMoment } from '../Plumbing/moment'
import { Panel } from '../Plumbing/Page'
import { useQuestion } from '../Plumbing/question'
import { Empty, Failed } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { useSetUrl, useUrl } from '../Plumbing/url'
import { MomentPicker } from './MomentPicker'
import { lengths } from './window'

const nodePolicies = ['binpack', 'spread', 'fragmentation'] as const
const cardPolicies = ['binpack', 'spread', 'fragmentation', 'numa', 'mutex', 'topology-aware'] as const

/** Runs the pods of a time again under another policy. What was run stands in the address: a colleague sees the same. */
export function WhatIf() {
  const { t } = useTranslation('replaying')
  const you = useYou()
  const moment = useMoment()
  const set = useSetUrl()
  const [policy] = useUrl('policy')
  const [begin] = useUrl('begin')
  const [end] = useUrl('end')
  const [until] = useState(() => (moment.at ? Date.parse(moment.at) : Date.now()))
  const [nodes, setNodes] = useState<string>(policy?.split('/')[0] ?? 'spread')
  const [cards, setCards] = useState<string>(policy?.split('/')[1] ?? 'spread')
  const [from, setFrom] = useState(begin ?? new Date(until - lengths['1d']).toISOString())
  const [to, setTo] = useState(end ?? (moment.at ? new Date(until).toISOString() : undefined))
  const isAllowed = you.allNamespaces && you.nodes
  const isAsked = !!policy && !!begin && !!end
  const question = useQuestion(WhatIfDocument, { policy: policy ?? '', from: begin ?? '', at: end ?? '' }, { enabled: isAllowed && isAsked })
  const isBackwards = Date.parse(from) >= (to ? Date.parse(to) : Date.now())
  if (!isAllowed) return <Empty title={t('whatIf.admins')} />
  const names = { binpack: t('whatIf.binpack'), spread: t('whatIf.spread'), fragmentation: t('whatIf.fragmentation'), numa: t('whatIf.numa'), mutex: t('whatIf.mutex'), 'topology-aware': t('whatIf.topology') }
  return (
    <Panel title={t('whatIf.title')} hint={t('whatIf.hint')}>
      <Stack gap="md">
        <SimpleGrid cols={{ base: 1, xs: 2, lg: 4 }} spacing="sm">
          <Select label={t('whatIf.nodes')} allowDeselect={false} value={nodes} onChange={(word) => setNodes(word ?? 'spread')} data={nodePolicies.map((word) => ({ value: word, label: names[word] }))} />
          <Select label={t('whatIf.cards')} allowDeselect={false} value={cards} onChange={(word) => setCards(word ?? 'spread')} data={cardPolicies.map((word) => ({ value: word, label: names[word] }))} />
          <MomentPicker label={t('whatIf.from')} at={from} onChoose={(at) => at && setFrom(at.toISOString())} error={isBackwards ? t('whatIf.backwards') : undefined} />
          <MomentPicker label={t('whatIf.to')} at={to} clearable placeholder={t('time.now')} onChoose={(at) => setTo(at?.toISOString())} error={isBackwards || undefined} />
        </SimpleGrid>
        <Button w="fit-content" leftSection={<FlaskConical size={16} aria-hidden />} disabled={isBackwards} loading={question.isFetching} data-testid="whatif-run" onClick={() => set({ policy: `${nodes}/${cards}`, begin: from, end: to ?? new Date().toISOString() })}>{t('whatIf.run')}</Button>
        <div aria-live="polite">
          {!isAsked ? <Text size="sm" c="dimmed">{t('whatIf.again')}</Text>
            : question.isFetching ? <Group gap="xs"><Loader size="sm" /><Text size="sm">{t('whatIf.running')}</Text></Group>
            : question.error ? <Failed error={question.error} again={() => void question.refetch()} />
            : question.data && <Outcomes report={question.data.whatIf} />}
        </div>
      </Stack>
    </Panel>
  )
}

const rows: { word: 'arrivals' | 'refused' | 'never' | 'meanWait' | 'longestWait' | 'memory' | 'compute'; key: Exclude<keyof OutcomeFragment, 'rules'>; write: (value: number) => string }[] = [
  { word: 'arrivals', key: 'arrivals', write: units.count },
  { word: 'refused', key: 'refused', write: units.count },
  { word: 'never', key: 'neverPlaced', write: units.count },
  { word: 'meanWait', key: 'meanWaitSeconds', write: (seconds) => units.duration(seconds * 1000) },
  { word: 'longestWait', key: 'longestWaitSeconds', write: (seconds) => units.duration(seconds * 1000) },
  { word: 'memory', key: 'allocatedMemoryPercent', write: (value) => units.percent(value, 1) },
  { word: 'compute', key: 'allocatedCoresPercent', write: (value) => units.percent(value, 1) },
]

function Outcomes({ report }: { report: WhatIfQuery['whatIf'] }) {
  const { t } = useTranslation('replaying')
  const outcomes = [
    { name: t('whatIf.recorded'), hint: t('whatIf.recordedHint'), of: report.recorded, id: 'recorded' },
    { name: t('whatIf.same'), hint: t('whatIf.sameHint'), of: report.sameRules, id: 'same' },
    { name: t('whatIf.other'), hint: report.otherPolicy.rules, of: report.otherPolicy, id: 'other' },
  ]
  return (
    <Stack gap="sm">
      <Table.ScrollContainer minWidth={620} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
        <Table aria-label={t('whatIf.title')} highlightOnHover style={{ fontVariantNumeric: 'tabular-nums' }}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('whatIf.outcome')}</Table.Th>
              {outcomes.map(({ id, name, hint }) => (
                <Table.Th key={id} ta="right">{name}<Text size="xs" c="dimmed" fw={400}>{hint}</Text></Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map(({ word, key, write }) => (
              <Table.Tr key={key}>
                <Table.Th scope="row" fw={400}>{t(`whatIf.${word}`)}</Table.Th>
                {outcomes.map(({ id, of }) => <Table.Td key={id} ta="right" data-testid={`whatif-${id}-${key}`} data-value={of[key]}>{write(of[key])}</Table.Td>)}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Alert variant="light" color="blue" role="note">{report.approximates}</Alert>
    </Stack>
  )
}
