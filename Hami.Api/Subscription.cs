namespace Hami.Api;

/// <summary>What changes, told as it happens, over server-sent events.</summary>
/// <remarks>Every room adds its fields.</remarks>
public sealed partial class Subscription;
