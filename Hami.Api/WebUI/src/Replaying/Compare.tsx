import { Alert, Badge, Button, Group, ScrollArea, SimpleGrid, Stack, Table, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { CompareDocument, type CompareQuery, type HolderFragment, type SummaryFragment } from '../Plumbing/asked'
import { Heading } from '../Plumbing/list/Heading'
import { useSorted, type Value } from '../Plumbing/list/rows'
import { useMoment } from '../Plumbing/moment'
import { Panel } from '../Plumbing/Page'
import { PageLink } from '../Plumbing/PageLink'
import { useQuestion } from '../Plumbing/question'
import { Answered } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { useSetUrl, useUrl } from '../Plumbing/url'
import { amount } from './happened'
import { DeviceLink, NodeLink, PodLink } from './links'
import { MomentPicker } from './MomentPicker'
import { useNow } from './useNow'
import { lengths } from './window'

type Comparison = CompareQuery['compare']
type ChangedDevice = Comparison['devicesChanged'][number]

/** Two moments side by side: in numbers, who came and went, which nodes and devices changed. */
export function Compare() {
  const { t } = useTranslation('replaying')
  const moment = useMoment()
  const set = useSetUrl()
  const [fromText] = useUrl('from')
  const [toText] = useUrl('to')
  // Both clusters are folded from the log for it: asked again every minute, not at every change.
  const now = useNow(60_000)
  const to = valid(toText) ?? moment.at
  const end = to ? Date.parse(to) : now
  const from = valid(fromText) ?? new Date(end - lengths['1h']).toISOString()
  const isBackwards = Date.parse(from) >= end
  const question = useQuestion(CompareDocument, { from, at: to ?? new Date(now).toISOString() }, { enabled: !isBackwards })
  return (
    <Stack gap="md">
      <Group gap="md" align="flex-end">
        <MomentPicker label={t('compare.from')} w={250} at={from} clearable={!!fromText} onChoose={(next) => set({ from: next?.toISOString() })} error={isBackwards || undefined} />
        <MomentPicker label={t('compare.to')} w={250} at={to} placeholder={t('compare.nowHint')} clearable={!!toText} onChoose={(next) => set({ to: next?.toISOString() })} error={isBackwards || undefined} />
        {!isBackwards && <Button variant="default" onClick={() => set({ show: undefined, from, to }, { push: true })}>{t('compare.events')}</Button>}
      </Group>
      {isBackwards ? <Alert color="yellow" role="alert">{t('compare.backwards')}</Alert> : <Answered question={question} height={320}>{({ compare }) => <Compared between={compare} />}</Answered>}
    </Stack>
  )
}

function valid(at: string | undefined): string | undefined {
  return at && !Number.isNaN(Date.parse(at)) ? at : undefined
}

interface Figure {
  key: Exclude<keyof SummaryFragment, 'at' | 'position'>
  word: 'nodes' | 'devices' | 'healthy' | 'cordoned' | 'used' | 'memory' | 'usedMemory' | 'compute' | 'usedCompute' | 'slots' | 'pods' | 'waiting'
  write: (value: number) => string
}

const figures: Figure[] = [
  { key: 'nodes', word: 'nodes', write: units.count },
  { key: 'devices', word: 'devices', write: units.count },
  { key: 'healthyDevices', word: 'healthy', write: units.count },
  { key: 'cordonedDevices', word: 'cordoned', write: units.count },
  { key: 'usedDevices', word: 'used', write: units.count },
  { key: 'memoryMiB', word: 'memory', write: units.memory },
  { key: 'usedMemoryMiB', word: 'usedMemory', write: units.memory },
  { key: 'cores', word: 'compute', write: units.cards },
  { key: 'usedCores', word: 'usedCompute', write: units.cards },
  { key: 'usedSlots', word: 'slots', write: units.count },
  { key: 'pods', word: 'pods', write: units.count },
  { key: 'waiting', word: 'waiting', write: units.count },
]

function Compared({ between }: { between: Comparison }) {
  const { t } = useTranslation('replaying')
  return (
    <>
      <Panel title={t('compare.totals')}>
        <Table.ScrollContainer minWidth={420} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
          <Table aria-label={t('compare.totals')} highlightOnHover style={{ fontVariantNumeric: 'tabular-nums' }}>
            <Table.Thead>
              <Table.Tr>
                <Table.Td />
                <Table.Th ta="right"><MomentLink at={between.before.at} /></Table.Th>
                <Table.Th ta="right"><MomentLink at={between.after.at} /></Table.Th>
                <Table.Th ta="right">{t('compare.difference')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {figures.map(({ key, word, write }) => {
                const [before, after] = [between.before[key], between.after[key]]
                return (
                  <Table.Tr key={key}>
                    <Table.Th scope="row" fw={400}>{t(`compare.${word}`)}</Table.Th>
                    <Table.Td ta="right" data-testid={`compare-before-${key}`} data-value={before}>{write(before)}</Table.Td>
                    <Table.Td ta="right" data-testid={`compare-after-${key}`} data-value={after}>{write(after)}</Table.Td>
                    <Table.Td ta="right" fw={after === before ? 400 : 600} c={after === before ? 'dimmed' : undefined} data-testid={`compare-difference-${key}`} data-value={after - before}>{signed(after - before, write)}</Table.Td>
                  </Table.Tr>
                )
              })}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </Panel>
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
        <Holders title={t('compare.came')} count={between.cameCount} pods={between.came} nobody={t('compare.nobodyCame')} colour="indigo" testId="compare-came" />
        <Holders title={t('compare.went')} count={between.wentCount} pods={between.went} nobody={t('compare.nobodyWent')} colour="gray" testId="compare-went" />
      </SimpleGrid>
      <Text size="sm">{t('compare.stayed')}: <strong data-testid="compare-stayed" data-value={between.stayed}>{units.count(between.stayed)}</strong></Text>
      <Hardware between={between} />
    </>
  )
}

function MomentLink({ at }: { at: string }) {
  const { t } = useTranslation('replaying')
  return <PageLink to="/" search={{ at }} size="sm" fw={600} title={t('compare.show')}>{units.moment(at)}</PageLink>
}

/** More, less, or the same. */
function signed(difference: number, write: (value: number) => string): string {
  return difference > 0 ? `+${write(difference)}` : difference < 0 ? `−${write(-difference)}` : '0'
}

const holderValues = {
  pod: (pod: HolderFragment) => `${pod.namespace}/${pod.pod}`,
  node: (pod: HolderFragment) => pod.node,
  // Numbers within texts are compared as numbers.
  has: (pod: HolderFragment) => `${pod.devices} ${pod.memoryMiB} ${pod.cores}`,
} satisfies Record<string, (pod: HolderFragment) => Value>

function Holders({ title, count, pods, nobody, colour, testId }: { title: string; count: number; pods: HolderFragment[]; nobody: string; colour: string; testId: string }) {
  const { t } = useTranslation('replaying')
  const { rows, order } = useSorted(pods, holderValues, 'pod')
  return (
    <Panel title={title} hint={t('compare.hint')} actions={<Badge color={colour} variant="light" size="lg" data-testid={testId} data-value={count}>{units.count(count)}</Badge>}>
      {rows.length === 0 ? <Text size="sm" c="dimmed">{nobody}</Text> : (
        <ScrollArea.Autosize mah={320} type="auto" viewportProps={{ tabIndex: 0, role: 'group', 'aria-label': title }}>
          <Table aria-label={title} verticalSpacing={4} stickyHeader highlightOnHover miw={420}>
            <Table.Thead>
              <Table.Tr><Heading title={t('compare.pod')} sort="pod" order={order} /><Heading title={t('compare.node')} sort="node" order={order} /><Heading title={t('compare.has')} sort="has" order={order} /></Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows.map((pod) => (
                <Table.Tr key={pod.allocationId}>
                  <Table.Td><PodLink podUid={pod.podUid} name={`${pod.namespace}/${pod.pod}`} /></Table.Td>
                  <Table.Td><NodeLink node={pod.node} /></Table.Td>
                  <Table.Td style={{ whiteSpace: 'nowrap' }}>{amount(t, { cards: pod.devices, memoryMiB: pod.memoryMiB, cores: pod.cores })}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </ScrollArea.Autosize>
      )}
      {pods.length < count && <Text size="xs" c="dimmed" mt="xs">{t('compare.cut', { shown: units.count(pods.length), all: units.count(count) })}</Text>}
    </Panel>
  )
}

const deviceValues = {
  what: (device: ChangedDevice) => device.what,
  node: (device: ChangedDevice) => device.node,
  type: (device: ChangedDevice) => device.type,
  device: (device: ChangedDevice) => device.uuid,
} satisfies Record<string, (device: ChangedDevice) => Value>

function Hardware({ between }: { between: Comparison }) {
  const { t } = useTranslation('replaying')
  const { rows, order } = useSorted(between.devicesChanged, deviceValues, 'node')
  const isSame = between.nodesCame.length + between.nodesWent.length + between.devicesChanged.length === 0
  return (
    <Panel title={t('compare.hardware')}>
      {isSame ? <Text size="sm" c="dimmed">{t('compare.unchanged')}</Text> : (
        <Stack gap="sm">
          {between.nodesCame.length > 0 && <Names title={t('compare.nodesCame')} nodes={between.nodesCame} />}
          {between.nodesWent.length > 0 && <Names title={t('compare.nodesWent')} nodes={between.nodesWent} />}
          {between.devicesChanged.length > 0 && (
            <ScrollArea.Autosize mah={320} type="auto" viewportProps={{ tabIndex: 0, role: 'group', 'aria-label': t('compare.hardware') }}>
              <Table aria-label={t('compare.hardware')} verticalSpacing={4} stickyHeader highlightOnHover miw={720}>
                <Table.Thead>
                  <Table.Tr>
                    <Heading title={t('compare.change')} sort="what" order={order} />
                    <Heading title={t('compare.node')} sort="node" order={order} />
                    <Heading title={t('compare.type')} sort="type" order={order} />
                    <Heading title={t('compare.device')} sort="device" order={order} />
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {rows.map((device) => (
                    <Table.Tr key={device.uuid}>
                      <Table.Td>{device.what}</Table.Td>
                      <Table.Td><NodeLink node={device.node} /></Table.Td>
                      <Table.Td>{device.type}</Table.Td>
                      <Table.Td><DeviceLink uuid={device.uuid} /></Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </ScrollArea.Autosize>
          )}
        </Stack>
      )}
    </Panel>
  )
}

function Names({ title, nodes }: { title: string; nodes: string[] }) {
  return <Group gap="xs"><Text size="sm" fw={500}>{title}</Text>{nodes.map((node) => <NodeLink key={node} node={node} />)}</Group>
}
