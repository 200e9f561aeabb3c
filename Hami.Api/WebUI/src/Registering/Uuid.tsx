import { ActionIcon, CopyButton, Group, Text } from '@mantine/core'
import { Check, Copy } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import { PageLink } from '../Plumbing/PageLink'

/** A UUID short enough to read, with both of its ends. */
export function shortened(uuid: string): string {
  return uuid.length <= 20 ? uuid : `${uuid.slice(0, 12)}…${uuid.slice(-4)}`
}

/** A link to a device: its UUID, shortened, whole under the mouse and to be copied; its model underneath. */
export function DeviceLink({ uuid, model }: { uuid: string; model?: string }) {
  return (
    <div>
      <Group gap={4} wrap="nowrap">
        <PageLink to="/devices/$uuid" params={{ uuid }} size="sm" title={uuid} style={{ whiteSpace: 'nowrap' }} data-testid="device-link" data-value={uuid}>{shortened(uuid)}</PageLink>
        <CopyUuid uuid={uuid} />
      </Group>
      {model && <Text size="xs" c="dimmed" truncate>{model}</Text>}
    </div>
  )
}

export function CopyUuid({ uuid }: { uuid: string }) {
  const { t } = useTranslation(['registering', 'plumbing'])
  return (
    <CopyButton value={uuid} timeout={1_500}>
      {({ copied, copy }) => (
        <ActionIcon size="xs" variant="subtle" color={copied ? 'teal' : 'gray'} aria-label={t('copy')} title={copied ? t('plumbing:copied') : t('copy')} onClick={copy}>
          {copied ? <Check size={12} /> : <Copy size={12} />}
        </ActionIcon>
      )}
    </CopyButton>
  )
}
