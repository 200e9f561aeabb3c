import { Group, NumberInput, SimpleGrid, Stack, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { RoomForMemoryDocument, type ClusterQuery } from '../../Plumbing/asked'
import { useMoment } from '../../Plumbing/moment'
import { Fact, Panel } from '../../Plumbing/Page'
import { useQuestion } from '../../Plumbing/question'
import * as units from '../../Plumbing/units'
import { useUrl } from '../../Plumbing/url'
import { useUse } from './use'

const usualGiB = 8

/** What nobody holds, how many cards could take one pod more, and how far sharing goes beyond the hardware. */
export function Room({ cluster }: { cluster: ClusterQuery['cluster'] }) {
  const { t } = useTranslation('observing')
  const { use } = useUse()
  // What agents measure has no scaling; it can be compared only when every card tells.
  const hardware = use.devices === cluster.devices ? use.memoryTotalMiB : null
  return (
    <Panel title={t('overview.room')}>
      <Stack gap="md">
        <SimpleGrid cols={{ base: 2, xs: 4 }}>
          <Fact label={t('overview.freeMemory')}><span data-testid="overview-free-memory" data-value={cluster.memoryMiB - cluster.usedMemoryMiB}>{units.memory(cluster.memoryMiB - cluster.usedMemoryMiB)}</span></Fact>
          <Fact label={t('overview.freeCores')}>{t('overview.cards', { cards: units.cards(cluster.cores - cluster.usedCores) })}</Fact>
          <Fact label={t('overview.freeSlots')}>{units.count(cluster.slots - cluster.usedSlots)}</Fact>
          <Fact label={t('overview.emptyCards')}>{units.count(cluster.devices - cluster.usedDevices)}</Fact>
        </SimpleGrid>
        <CardsWithRoom />
        <SimpleGrid cols={{ base: 2, xs: 4 }}>
          <Fact label={t('overview.slotsPerCard')}>{units.amount(cluster.devices ? cluster.slots / cluster.devices : null)}</Fact>
          <Fact label={t('overview.coreScaling')}>{units.times(cluster.devices ? cluster.cores / 100 / cluster.devices : null)}</Fact>
          <Fact label={t('overview.memoryScaling')}>{units.times(hardware ? cluster.memoryMiB / hardware : null)}</Fact>
        </SimpleGrid>
      </Stack>
    </Panel>
  )
}

/** How many cards still have so much memory, and could be chosen. */
function CardsWithRoom() {
  const { t } = useTranslation('observing')
  const { at } = useMoment()
  const [text, set] = useUrl('room')
  const gib = Number(text) > 0 ? Number(text) : usualGiB
  const question = useQuestion(RoomForMemoryDocument, { at, freeMemoryMiB: Math.ceil(gib * 1024) })
  const found = question.data?.devices.totalCount
  return (
    <Group gap="xs">
      <Text size="sm">{t('overview.cardsWith')}</Text>
      <NumberInput size="xs" w={88} min={1} max={1024} value={gib} suffix=" GiB" allowNegative={false} aria-label={t('overview.cardsWithLabel')} onChange={(value) => set(Number(value) > 0 && Number(value) !== usualGiB ? String(value) : undefined)} />
      <Text size="sm">{t('overview.cardsWithFree')}</Text>
      <Text size="sm" fw={600} data-testid="overview-cards-with-room" data-value={found ?? ''}>{units.count(found)}</Text>
    </Group>
  )
}
