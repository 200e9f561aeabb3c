namespace Hami.Api;

/// <summary>What is, and what was, allocated in the cluster.</summary>
/// <remarks>Every room adds its fields.</remarks>
public sealed partial class Query;
