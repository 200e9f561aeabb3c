namespace Hami.Api.Placing;

/// <summary>What the extender answers when several nodes fit.</summary>
internal enum ExtenderMode
{
    /// <summary>The best node alone, as HAMi does.</summary>
    Single,

    /// <summary>All that fit; <c>/prioritize</c> ranks them, so that kube-scheduler's own preferences count.</summary>
    Score,
}

/// <summary>How the extender answers kube-scheduler.</summary>
/// <param name="ReservationTime">How long shares stay reserved between filter and bind; longer than the cluster's longest PreBind.</param>
internal sealed record ExtenderSettings(ExtenderMode Mode, TimeSpan ReservationTime)
{
    public static readonly ExtenderSettings Default = new(ExtenderMode.Single, TimeSpan.FromSeconds(60));
}
