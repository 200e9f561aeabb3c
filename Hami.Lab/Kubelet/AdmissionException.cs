namespace Hami.Lab.Kubelet;

/// <summary>A pod this node cannot take; the message is what its user reads after "Pod was rejected: ".</summary>
internal sealed class AdmissionException : Exception
{
    public AdmissionException(string message) : base(message)
    {
    }

    public AdmissionException(string message, Exception inner) : base(message, inner)
    {
    }

    public AdmissionException()
    {
    }

    /// <summary>One word for the pod's status and its event.</summary>
    public string Reason { get; init; } = "UnexpectedAdmissionError";
}
