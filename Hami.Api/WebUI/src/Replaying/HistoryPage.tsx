import { Page } from '../Plumbing/Page'

export default function HistoryPage() {
  return <Page title="HistoryPage">{null}</Page>
}
