// What is free on which card, who holds what, and why a pod waits.
const defaultQuery = `{
  eventCount
  nodes { name devices { index type memoryMiB usedMemoryMiB cores usedCores slots usedSlots } }
  allocations(live: true) { namespace pod node shares { container deviceUuid memoryMiB cores } placedAt attachedAt }
  pendingPods { namespace pod message refusedAt }
}`;

ReactDOM.createRoot(document.getElementById('graphiql')).render(
  React.createElement(GraphiQL, { fetcher: GraphiQL.createFetcher({ url: '/graphql' }), defaultQuery }),
);
