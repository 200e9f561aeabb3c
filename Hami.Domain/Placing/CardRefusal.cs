namespace Hami.Domain.Placing;

/// <summary>Why a card, or a whole node, cannot serve a container. The names are HAMi's reason words.</summary>
public enum CardRefusal
{
    None,
    CardNotHealth,
    CardCordoned,
    CardTypeMismatch,

    /// <summary>The card would serve, but too few of its NUMA node do.</summary>
    NumaNotFit,
    CardUuidMismatch,
    CardTimeSlicingExhausted,
    ResourceQuotaNotFit,
    CardInsufficientMemory,
    CardInsufficientCore,
    ExclusiveDeviceAllocateConflict,
    CardComputeUnitsExhausted,

    /// <summary>No MIG profile with enough memory has a free place on the card.</summary>
    CardMigTopologyInfeasible,

    /// <summary>The card would serve, but too few of its kind are left for the container.</summary>
    AllocatedCardsInsufficientRequest,

    /// <summary>More cards are asked of one node than it has.</summary>
    NodeInsufficientDevice,
}

public static class CardRefusals
{
    public const int Count = (int)CardRefusal.NodeInsufficientDevice + 1;

    /// <summary>The reason as a person says it, after "n of m cards: ".</summary>
    public static string Words(this CardRefusal refusal) => refusal switch
    {
        CardRefusal.CardNotHealth => "unhealthy",
        CardRefusal.CardCordoned => "cordoned by an admin",
        CardRefusal.CardTypeMismatch => "model or mode not allowed by the pod's annotations",
        CardRefusal.NumaNotFit => "usable, but too few on its NUMA node",
        CardRefusal.CardUuidMismatch => "UUID not allowed by the pod's annotations",
        CardRefusal.CardTimeSlicingExhausted => "all slots taken",
        CardRefusal.ResourceQuotaNotFit => "would exceed the namespace's quota",
        CardRefusal.CardInsufficientMemory => "too little free memory",
        CardRefusal.CardInsufficientCore => "too few free cores",
        CardRefusal.ExclusiveDeviceAllocateConflict => "asked whole but in use",
        CardRefusal.CardComputeUnitsExhausted => "all cores reserved by others",
        CardRefusal.CardMigTopologyInfeasible => "no MIG instance of that size has a free place",
        CardRefusal.AllocatedCardsInsufficientRequest => "usable, but more are needed",
        CardRefusal.NodeInsufficientDevice => "more cards asked than the node has",
        _ => throw new ArgumentOutOfRangeException(nameof(refusal), refusal, "No reason to put into words."),
    };
}
