import { Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { Page } from '../Plumbing/Page'
import { PendingList } from './PendingList'

/** The pods that wait, and why. */
export default function PendingPage() {
  const { t } = useTranslation('placing')
  return (
    <Page title={t('title')}>
      <Text size="sm" c="dimmed">{t('hint')}</Text>
      <PendingList />
    </Page>
  )
}
