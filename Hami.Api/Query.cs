namespace Hami.Api;

/// <summary>What is, and what was, allocated in the cluster. Every room adds its fields.</summary>
public sealed partial class Query;
