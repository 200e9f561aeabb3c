import { Button, Tooltip } from '@mantine/core'
import { Download } from 'lucide-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { csv, saveFile, type Cell } from '../csv'

/** Saves all rows of a list as a CSV file. */
export function ExportButton({ file, header, rows }: {
  file: string
  /** With the unit of each column. */
  header: string[]
  rows: () => Promise<Cell[][]>
}) {
  const { t } = useTranslation('plumbing')
  const [isBusy, setBusy] = useState(false)
  const [why, setWhy] = useState<string>()
  async function save() {
    setBusy(true)
    setWhy(undefined)
    try {
      saveFile(file, csv(header, await rows()))
    } catch (e) {
      setWhy((e as Error).message || t('failed.offline'))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Tooltip label={why} opened={why ? undefined : false} color="red" multiline maw={360}>
      <Button size="sm" variant="default" color={why ? 'red' : undefined} leftSection={<Download size={16} aria-hidden />} loading={isBusy} onClick={() => void save()} aria-description={why} data-testid="export">
        {why ? t('list.exportFailed') : t('list.export')}
      </Button>
    </Tooltip>
  )
}
