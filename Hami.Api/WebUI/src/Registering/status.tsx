import { Badge, Group, Text, Tooltip, type BadgeProps } from '@mantine/core'
import { TriangleAlert } from 'lucide-react'
import type { Ref } from 'react'
import { useTranslation } from 'react-i18next'
import { useMoment } from '../Plumbing/moment'
import { unknown } from '../Plumbing/units'

/** A badge that is never cut. */
function Word({ ref, ...props }: BadgeProps & { tabIndex?: number; ref?: Ref<HTMLDivElement> }) {
  return <Badge ref={ref} variant="dot" miw="max-content" {...props} />
}

interface Facts {
  ready: boolean
  notReadyBecause?: string | null
  schedulable: boolean
}

/** What the API server says of a node: ready or why not, cordoned, gone; and how many of its devices are healthy. */
export function NodeStatus({ facts, healthy, all }: { facts: Facts | null | undefined; healthy: number; all: number }) {
  const { t } = useTranslation('registering')
  return (
    <div data-testid="node-status">
      <NodeBadges facts={facts} />
      {facts?.notReadyBecause && <Text size="xs" c="dimmed" lineClamp={2} maw={260} title={facts.notReadyBecause}>{facts.notReadyBecause}</Text>}
      <Group gap={4} wrap="nowrap">
        {healthy < all && <TriangleAlert size={12} color="var(--mantine-color-orange-6)" aria-hidden />}
        <Text size="xs" c={healthy < all ? undefined : 'dimmed'} fw={healthy < all ? 600 : undefined}>{all > 0 ? t('status.healthyOf', { healthy, all }) : t('status.noDevices')}</Text>
      </Group>
    </div>
  )
}

export function NodeBadges({ facts }: { facts: Facts | null | undefined }) {
  const { t } = useTranslation('registering')
  const moment = useMoment()
  if (!facts && !moment.isNow) return <Tooltip label={t('status.thenUnknown')}><Text component="span" size="sm" tabIndex={0}>{unknown}</Text></Tooltip>
  if (!facts) return <Tooltip label={t('status.goneHint')} multiline maw={300}><Word color="gray" variant="outline" tabIndex={0}>{t('status.gone')}</Word></Tooltip>
  return (
    <Group gap={4} component="span">
      {facts.ready ? <Word color="teal">{t('status.ready')}</Word> : <Word color="red">{t('status.notReady')}</Word>}
      {!facts.schedulable && <Word color="orange">{t('status.cordoned')}</Word>}
    </Group>
  )
}

/** Whether anything may be placed on a device, and why not. */
export function DeviceStatus({ healthy, cordoned }: { healthy: boolean; cordoned: boolean }) {
  const { t } = useTranslation('registering')
  return (
    <Group gap={4} component="span" data-testid="device-status">
      {healthy
        ? <Word color="teal">{t('status.healthy')}</Word>
        : <Tooltip label={t('status.unhealthyHint')} multiline maw={300}><Word color="red" tabIndex={0}>{t('status.unhealthy')}</Word></Tooltip>}
      {cordoned && <Tooltip label={t('status.cordonedHint')} multiline maw={300}><Word color="orange" tabIndex={0}>{t('status.cordonedDevice')}</Word></Tooltip>}
    </Group>
  )
}
