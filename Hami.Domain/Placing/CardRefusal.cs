namespace Hami.Domain.Placing;

/// <summary>Why a card, or a whole node, cannot serve a container. The names are HAMi's reason words.</summary>
public enum CardRefusal
{
    None,
    CardNotHealth,
    CardTypeMismatch,
    CardUuidMismatch,
    CardTimeSlicingExhausted,
    CardInsufficientMemory,
    CardInsufficientCore,
    ExclusiveDeviceAllocateConflict,
    CardComputeUnitsExhausted,

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
        CardRefusal.CardTypeMismatch => "model not allowed by the pod's annotations",
        CardRefusal.CardUuidMismatch => "UUID not allowed by the pod's annotations",
        CardRefusal.CardTimeSlicingExhausted => "all slots taken",
        CardRefusal.CardInsufficientMemory => "too little free memory",
        CardRefusal.CardInsufficientCore => "too few free cores",
        CardRefusal.ExclusiveDeviceAllocateConflict => "asked whole but in use",
        CardRefusal.CardComputeUnitsExhausted => "all cores reserved by others",
        CardRefusal.AllocatedCardsInsufficientRequest => "usable, but more are needed",
        CardRefusal.NodeInsufficientDevice => "more cards asked than the node has",
        _ => throw new ArgumentOutOfRangeException(nameof(refusal), refusal, "No reason to put into words."),
    };
}
