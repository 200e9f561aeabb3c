import { ActionIcon, Menu, Text, Tooltip } from '@mantine/core'
import { CircleUser, LogOut } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import { useYou } from './Gate'
import { signOut, token } from './token'

/** Who is signed in, what they see, and the way out. */
export function UserMenu() {
  const { t } = useTranslation('access')
  const you = useYou()
  const label = t('you', { name: you.name })
  return (
    <Menu position="bottom-end" withArrow width={280}>
      <Menu.Target>
        <Tooltip label={label}>
          <ActionIcon variant="subtle" color="gray" aria-label={label}><CircleUser size={18} /></ActionIcon>
        </Tooltip>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label style={{ overflowWrap: 'anywhere' }}>{label}</Menu.Label>
        <Text size="sm" px="sm" pb="xs">
          {t('scope')}: {you.allNamespaces ? t('allNamespaces') : you.namespaces.length <= 8 ? you.namespaces.join(', ') : t('namespaces', { count: you.namespaces.length })}
          {you.nodes ? '' : `; ${t('noNodes')}`}
        </Text>
        {token() && <Menu.Item leftSection={<LogOut size={16} />} onClick={signOut}>{t('signOut')}</Menu.Item>}
      </Menu.Dropdown>
    </Menu>
  )
}
