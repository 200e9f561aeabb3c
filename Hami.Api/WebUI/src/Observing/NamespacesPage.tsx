import { Page } from '../Plumbing/Page'

export default function NamespacesPage() {
  return <Page title="NamespacesPage">{null}</Page>
}
